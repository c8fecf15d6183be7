FROM localhost/corpus/base:1
ARG A=default
ARG B=default
ARG C
ARG D
RUN echo "$A $B $C [$D]" > /out
LABEL a=$A b=$B c=$C d="[$D]"
#: args --build-arg B=given --build-arg C=given
