FROM localhost/corpus/base:1
COPY . /t
#: ignore *.txt
#: ignore dir/sub
#: ignore /src
#: ignore # no comment in here
#: ignore modes
#: ignore .dockerignore
