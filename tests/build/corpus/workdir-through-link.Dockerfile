FROM localhost/corpus/base:1
RUN mkdir /real && ln -s real /alias
WORKDIR /alias/in
RUN pwd > /out; echo x > f
COPY a.txt .
