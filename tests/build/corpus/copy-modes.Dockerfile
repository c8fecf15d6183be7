FROM localhost/corpus/base:1
COPY modes /t
COPY run.sh /run.sh
#: differs buildah,classic file /t/?755: COPY keeps the metadata of files, says the reference; they lose set-user-ID
