FROM localhost/corpus/base:1
ARG S=foobarbaz.tar.gz
ENV A=${S#f*b} B=${S##f*b} C=${S%.*} D=${S%%.*} E=${S/ba/BA} F=${S//ba/BA} G=${S/#foo/x} H=${S%?z} I=${S//a?/-}
LABEL file=${S%%.*}-${S##*.}
#: not classic,buildkit,buildah: patterns came later
