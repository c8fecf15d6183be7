FROM localhost/corpus/base:1
HEALTHCHECK --interval=5m --timeout=3s --start-period=1m30s --retries=7 CMD test -e /x || exit 1
