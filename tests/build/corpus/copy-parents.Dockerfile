FROM localhost/corpus/base:1
COPY --parents deep/1/2/3/f dir/x /t/
COPY --parents deep/./1/2 /u/
COPY --parents src/*.c /v/
#: not classic,buildkit,buildah: --parents came later
