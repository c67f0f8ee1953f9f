#!/bin/bash
kill -KILL $$
sleep 5
