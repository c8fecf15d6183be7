FROM localhost/corpus/base:1
COPY . /t
#: ignore [ab].txt
#: ignore src/?.h
#: ignore wild\[1\].txt
#: ignore dir[2-9]
#: ignore modes
#: ignore .dockerignore
