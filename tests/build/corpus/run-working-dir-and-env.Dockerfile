FROM localhost/corpus/base:1
ENV A=1
WORKDIR /w
USER user
ARG B=2
RUN echo "$A $B $PWD" > /tmp/out; umask >> /tmp/out
