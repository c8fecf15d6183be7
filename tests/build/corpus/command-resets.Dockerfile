FROM localhost/corpus/base:1 AS a
CMD ["kept"]
FROM a
ENTRYPOINT ["/bin/sh"]
#: differs classic config.Cmd: the reference: ENTRYPOINT resets a CMD of the base; it forgets for a base that is a stage
