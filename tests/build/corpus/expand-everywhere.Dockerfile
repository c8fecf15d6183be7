FROM localhost/corpus/base:1
ARG V=val
ENV E=env
ADD $V.txt /add-$E/
COPY ${V}.txt /copy-$V/
EXPOSE 80$N 90
LABEL l-$V="x-${E}"
STOPSIGNAL SIG${T:-USR1}
USER ${U:-user}
VOLUME /vol-$V
WORKDIR /work-$E
#: args --build-arg V=val
#: differs classic file /work-env: a WORKDIR that is made belongs to USER with BuildKit and buildah, to root with the old builder
