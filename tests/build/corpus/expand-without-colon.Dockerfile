FROM localhost/corpus/base:1
ENV SET=s EMPTY=
ENV A=${SET-d} B=${UNSET-d} C=[${EMPTY-d}] D=${SET+p} E=[${UNSET+p}] F=${EMPTY+p}
#: not classic,buildkit,buildah: ${x-y} and ${x+y} came later
