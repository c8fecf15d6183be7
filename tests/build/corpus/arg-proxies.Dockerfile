FROM localhost/corpus/base:1
RUN echo "$http_proxy $NO_PROXY" > /out
#: args --build-arg http_proxy=http://127.0.0.1:9 --build-arg NO_PROXY=here
