"""PACKAGE lzc/compiler/inputs"""
