FROM localhost/corpus/base:1
COPY *.txt /star/
COPY src/?.c /one/
COPY src/[ab].* /class/
COPY s*c/*.h /dirs/
COPY dir* /d/
COPY src/[^a].c /not/
COPY deep/*/2 /deep/
#: differs buildah file /star/wild[[]1].txt: its * does not match a name with brackets
