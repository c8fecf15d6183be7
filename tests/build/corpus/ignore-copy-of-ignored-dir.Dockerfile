FROM localhost/corpus/base:1
COPY dir /t
COPY src /s
#: ignore dir/x
#: ignore src/*
#: ignore !src/c.h
