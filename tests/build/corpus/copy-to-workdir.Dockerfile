FROM localhost/corpus/base:1
WORKDIR /w
COPY a.txt .
COPY b.txt ./
COPY dir sub
COPY dir/x ../up
