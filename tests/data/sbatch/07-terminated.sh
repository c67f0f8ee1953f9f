#!/bin/bash
kill -TERM $$
sleep 5
