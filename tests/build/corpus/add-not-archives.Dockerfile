FROM localhost/corpus/base:1
ADD text.gz /t/
ADD named.tar /t/
ADD text.gz /renamed
