FROM localhost/corpus/base:1 AS Build-1.x_y
RUN echo x > /x
FROM localhost/corpus/base:1
COPY --from=build-1.X_y /x /1
COPY --from=0 /x /2
#: not buildah: it minds capital letters in a stage's name
