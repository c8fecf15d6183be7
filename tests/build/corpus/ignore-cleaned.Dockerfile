FROM localhost/corpus/base:1
COPY . /t
#: ignore ./dir/../a.txt
#: ignore   b.txt
#: ignore src/
#: ignore links//to-file
#: ignore empty/.
#: ignore modes
#: ignore .dockerignore
