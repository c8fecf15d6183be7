FROM localhost/corpus/base:1 AS first
RUN echo first > /1
LABEL l=first
FROM first AS second
RUN echo second > /2
LABEL l=second
FROM second
RUN false
#: args --target second
