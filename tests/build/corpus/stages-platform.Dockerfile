FROM --platform=linux/amd64 localhost/corpus/base:1
RUN echo x > /x
