#!/usr/bin/awk -f
# SPDX-License-Identifier: Apache-2.0
# growth.awk - how fast CO2 grew in one period of years, and how sure we are.
#
#   growth.awk first=1960 years=5 replicates=1000 co2-weekly.csv
#
# Least squares of   c(t) = level + growth * t + two harmonics of the year   over the period's weeks.
# Weeks that follow each other are not independent, so the errors come from a moving-block bootstrap of the
# residuals: blocks of a quarter of a year are drawn anew, and the fit is repeated.  Writes one line,
#   period  weeks  level  growth  low  high  swing  low  high
# with the 95 % intervals, to growth-FIRST.tsv.  level is at the middle of the period, swing is the height
# of the seasonal cycle, both in ppm; growth is in ppm a year.  The generator of random numbers is its own
# (Lehmer, 16807), so that every awk on every machine gives the same figures.

BEGIN { FS = ","; P = 6; BLOCK = 13; TAU = 8 * atan2(1, 1) }

/^#/ || /^date/ { next }
{
    t = year_of($1)
    if (t >= first && t < first + years) { n++; T[n] = t - first - years / 2; Y[n] = $2 }
}

END {
    if (n < 10 * P) {
        print "growth.awk: only " n + 0 " weeks from " first " on: too few to fit" > "/dev/stderr"
        exit 2
    }
    for (i = 1; i <= n; i++) basis(i)
    invert()
    for (i = 1; i <= n; i++) Z[i] = Y[i]
    fit()
    level = B[1]; growth = B[2]; swing = seasonal_swing()
    for (i = 1; i <= n; i++) {
        F[i] = 0
        for (j = 1; j <= P; j++) F[i] += X[i, j] * B[j]
        R[i] = Y[i] - F[i]
    }
    seed = first
    for (r = 1; r <= replicates; r++) {
        resample(); fit()
        G[r] = B[2]; S[r] = seasonal_swing()
        if (r % 250 == 0) print first "-" first + years - 1 ": " r " of " replicates " replicates"
    }
    sort(G, replicates); sort(S, replicates)
    low = int(replicates * 0.025) + 1; high = int(replicates * 0.975)
    printf "%d-%d\t%d\t%.2f\t%.3f\t%.3f\t%.3f\t%.2f\t%.2f\t%.2f\n", first, first + years - 1, n, level,
        growth, G[low], G[high], swing, S[low], S[high] > ("growth-" first ".tsv")
}

# 19580329 -> 1958.238: the day's place in its year.
function year_of(date,    y, m, d, leap, day) {
    y = substr(date, 1, 4) + 0; m = substr(date, 5, 2) + 0; d = substr(date, 7, 2) + 0
    leap = (y % 4 == 0 && y % 100 != 0) || y % 400 == 0
    split("0 31 59 90 120 151 181 212 243 273 304 334", DAYS, " ")
    day = DAYS[m] + d - 0.5 + (leap && m > 2)
    return y + day / (365 + leap)
}

# What the model adds up for week i: a constant, time, two harmonics.
function basis(i,    a) {
    a = TAU * T[i]
    X[i, 1] = 1; X[i, 2] = T[i]
    X[i, 3] = cos(a); X[i, 4] = sin(a); X[i, 5] = cos(2 * a); X[i, 6] = sin(2 * a)
}

# V = inverse of X'X, by Gauss-Jordan with the largest pivot.
function invert(    i, j, k, p, s, f) {
    for (j = 1; j <= P; j++)
        for (k = 1; k <= P; k++) {
            s = 0
            for (i = 1; i <= n; i++) s += X[i, j] * X[i, k]
            A[j, k] = s; V[j, k] = (j == k)
        }
    for (j = 1; j <= P; j++) {
        p = j
        for (i = j + 1; i <= P; i++) if (abs(A[i, j]) > abs(A[p, j])) p = i
        for (k = 1; k <= P; k++) {
            f = A[j, k]; A[j, k] = A[p, k]; A[p, k] = f
            f = V[j, k]; V[j, k] = V[p, k]; V[p, k] = f
        }
        f = A[j, j]
        for (k = 1; k <= P; k++) { A[j, k] /= f; V[j, k] /= f }
        for (i = 1; i <= P; i++) if (i != j) {
            f = A[i, j]
            for (k = 1; k <= P; k++) { A[i, k] -= f * A[j, k]; V[i, k] -= f * V[j, k] }
        }
    }
}

# B = V X'Z
function fit(    i, j, k) {
    for (j = 1; j <= P; j++) Q[j] = 0
    for (i = 1; i <= n; i++)
        for (j = 1; j <= P; j++) Q[j] += X[i, j] * Z[i]
    for (j = 1; j <= P; j++) {
        B[j] = 0
        for (k = 1; k <= P; k++) B[j] += V[j, k] * Q[k]
    }
}

# From the lowest to the highest day of the fitted year.
function seasonal_swing(    d, a, s, lowest, highest) {
    lowest = 1e9; highest = -1e9
    for (d = 0; d < 73; d++) {
        a = TAU * d / 73
        s = B[3] * cos(a) + B[4] * sin(a) + B[5] * cos(2 * a) + B[6] * sin(2 * a)
        if (s < lowest) lowest = s
        if (s > highest) highest = s
    }
    return highest - lowest
}

# Z = fitted values + residuals drawn in blocks.
function resample(    i, k) {
    for (i = 1; i <= n;) {
        seed = (seed * 16807) % 2147483647
        k = 1 + int(seed / 2147483647 * (n - BLOCK + 1))
        for (j = 0; j < BLOCK && i <= n; j++) { Z[i] = F[i] + R[k + j]; i++ }
    }
}

# Shell sort of a[1..count].
function sort(a, count,    gap, i, j, v) {
    for (gap = int(count / 2); gap > 0; gap = int(gap / 2))
        for (i = gap + 1; i <= count; i++) {
            v = a[i]
            for (j = i; j > gap && a[j - gap] > v; j -= gap) a[j] = a[j - gap]
            a[j] = v
        }
}

function abs(x) { return x < 0 ? -x : x }
