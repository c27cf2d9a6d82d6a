"""PACKAGE lzc/lua/transfer"""
