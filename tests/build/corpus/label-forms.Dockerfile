FROM localhost/corpus/base:1
LABEL one=1
LABEL "two words"="2 \"q\"" three='3 $x' four=a\ b
LABEL multi="line one \
line two"
LABEL old form of it
LABEL one=again
