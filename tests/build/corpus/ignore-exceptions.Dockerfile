FROM localhost/corpus/base:1
COPY . /t
#: ignore *
#: ignore !src
#: ignore src/*.c
#: ignore !src/b.c
#: ignore !dir/sub/z
