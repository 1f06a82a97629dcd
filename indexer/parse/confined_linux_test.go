package parse

const confined = true
