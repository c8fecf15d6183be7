FROM localhost/corpus/base:1
RUN mkdir -m 0700 /old && chown 5:6 /old
WORKDIR /old/new/er
WORKDIR /tmp
WORKDIR /old
