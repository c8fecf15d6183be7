FROM localhost/corpus/base:1
COPY a.txt /t/
COPY a.txt /renamed
COPY a.txt b.txt /two/
COPY a.txt relative
COPY ./dir/../a.txt /t/dotted
COPY /a.txt /t/rooted
