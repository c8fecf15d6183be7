FROM localhost/corpus/base:1
COPY ["with space", "/t/with space"]
COPY ["a.txt", "b.txt", "/t2/"]
COPY ["wild[[]1].txt", "/t3"]
#: differs buildah file /t3: its pattern wild[[]1].txt means another file
