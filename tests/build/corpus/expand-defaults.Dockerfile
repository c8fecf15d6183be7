FROM localhost/corpus/base:1
ENV SET=s EMPTY=
ENV A=${SET:-d} B=${UNSET:-d} C=${EMPTY:-d} D=${SET:+p} E=${UNSET:+p} F=${EMPTY:+p} G=${UNSET:-$SET} H=${UNSET:-${SET}x}
WORKDIR /w/${UNSET:-here}
COPY a.txt ${SET:+to}/
