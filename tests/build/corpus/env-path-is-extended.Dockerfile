FROM localhost/corpus/base:1
ENV PATH=/opt/bin:$PATH
RUN echo $PATH > /out
ENV PATH="${PATH}:/last"
#: differs buildah config.Env: it puts a variable that is set again at the end
