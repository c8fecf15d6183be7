FROM localhost/corpus/base:1
MAINTAINER Some One <some@example.com>
LABEL maintainer=other
