FROM localhost/corpus/base:1
USER user
WORKDIR /home/user/app
WORKDIR /srv/other
RUN touch /tmp/x
USER 77
WORKDIR /numeric/only
USER 77:88
WORKDIR /numeric/both
#: differs classic file /numeric*: as above
#: differs classic file /home/user/app: a WORKDIR that is made belongs to USER with BuildKit and buildah, to root with the old builder
#: differs classic file /srv/other: a WORKDIR that is made belongs to USER with BuildKit and buildah, to root with the old builder
