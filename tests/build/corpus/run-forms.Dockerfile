FROM localhost/corpus/base:1
RUN echo shell $0 > /1
RUN ["/bin/sh", "-c", "echo exec $0 > /2", "zero"]
RUN ["touch", "/3 with space"]
