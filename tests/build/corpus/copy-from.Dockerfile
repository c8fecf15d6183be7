FROM localhost/corpus/base:1 AS one
RUN mkdir /o && echo 1 > /o/f && chown 5:6 /o/f && ln -s f /o/l && chmod 0700 /o
FROM localhost/corpus/base:1
COPY --from=one /o /by-name
COPY --from=0 /o/f /by-number
COPY --from=0 --chown=1:1 o/f relative
COPY --from=localhost/corpus/onbuild:1 /etc/passwd /of-image
COPY --from=one /o/l /of-link
