FROM localhost/corpus/base:1
ENV A=x
ENV B=\$A C='$A' D="\$A" E="$A" F=\\$A G="a\\b" H=a\b
RUN env | grep -E '^[A-H]=' | sort > /out
