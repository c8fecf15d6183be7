FROM localhost/corpus/base:1
COPY . /all
#: differs buildah,classic file /all/modes/?755: as copy-modes
