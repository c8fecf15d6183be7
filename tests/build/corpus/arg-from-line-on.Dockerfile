FROM localhost/corpus/base:1
RUN echo "[${V:-before}]" > /1
ARG V=after
RUN echo "[$V]" > /2
#: args --build-arg V=given
