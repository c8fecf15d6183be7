FROM localhost/corpus/base:1
ARG A="a b" 
ARG B='c $A'
ARG C=x\ y
RUN echo "$A|$B|$C" > /out
