#!/bin/sh
# keep.sh FOLDER COMMAND...: runs a server for as long as standard input is open, then stops it and removes FOLDER.
# The system closes the pipe of a test program that ends, however it ends.
folder=$1
shift
"$@" </dev/null &
server=$!
read -r _
kill -TERM $server
for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29 30; do
  kill -0 $server 2>/dev/null || break
  sleep 0.2
done
kill -KILL $server 2>/dev/null
rm -rf "$folder"
