FROM localhost/corpus/base:1 AS a
LABEL x=1 y=1
FROM a
LABEL y=2 z=
