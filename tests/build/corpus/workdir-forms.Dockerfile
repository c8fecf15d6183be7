FROM localhost/corpus/base:1
WORKDIR /a
WORKDIR b
WORKDIR c/../d
RUN pwd > out
ENV DIRPATH=/path
WORKDIR $DIRPATH/$UNSET
RUN pwd > /out2
WORKDIR "/with space"
RUN pwd > /out3
