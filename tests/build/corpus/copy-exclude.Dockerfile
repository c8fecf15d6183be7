FROM localhost/corpus/base:1
COPY --exclude=*.c --exclude=sub src /t
COPY --exclude=x --exclude=**/z dir /u/
#: not classic,buildkit,buildah: --exclude came later
