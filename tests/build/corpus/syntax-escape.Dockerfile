# escape=`
FROM localhost/corpus/base:1
RUN echo one > /one `
 && echo back\\slash > /two
ENV A=a`$b C="d`"e"
LABEL where=C:\dir
COPY a.txt `
     /t/
#: not buildah: it does not know the escape character in ENV
