FROM localhost/corpus/base:1
COPY --chown=7:8 a.txt /1
COPY --chown=7 a.txt /2
COPY --chown=user:staff a.txt /3
COPY --chown=user a.txt /4
COPY --chown=9:staff dir /new/dir/
ARG O=11:12
COPY --chown=$O a.txt /5
#: not classic: it looks for a group of the user's name
