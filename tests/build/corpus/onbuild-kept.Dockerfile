FROM localhost/corpus/base:1
ONBUILD RUN echo x > /x
ONBUILD COPY a.txt /t/
ONBUILD ENV A=1
