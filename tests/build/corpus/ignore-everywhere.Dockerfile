FROM localhost/corpus/base:1
COPY . /t
#: ignore **/x
#: ignore **/sub
#: ignore deep/**/f
#: ignore **/*.c
#: ignore modes
#: ignore .dockerignore
