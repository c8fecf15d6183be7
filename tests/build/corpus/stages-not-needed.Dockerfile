FROM localhost/corpus/base:1 AS broken
RUN false
FROM localhost/corpus/base:1
RUN echo fine > /out
#: not classic: it builds every stage
#: not buildah: Debian's builds every stage
