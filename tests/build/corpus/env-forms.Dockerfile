FROM localhost/corpus/base:1
ENV one=1 two="t w o" three=th\ ree four='si$ngle' five=
ENV old the old form   with   spaces
ENV quoted "whole value"
RUN env | grep -E '^(one|two|three|four|five|old|quoted)=' | sort > /out
