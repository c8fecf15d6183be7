FROM localhost/corpus/base:1
COPY --chmod=0640 a.txt /1
COPY --chmod=750 dir /2
COPY --chmod=4711 --chown=1:2 a.txt /new/3
#: not classic: it has no --chmod
#: differs buildkit file /new/3: it sets the owner after the mode, which takes set-user-ID away
