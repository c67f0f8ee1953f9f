#!/usr/bin/awk -f
BEGIN { for (i = 0; i < 3; i++) print i * i }
